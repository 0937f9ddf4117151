"""The measures of `bakeoff bench`: each asks one question of all tools, in rounds that take turns."""
