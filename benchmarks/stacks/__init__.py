"""The tools' real servers in containers: bring them up, run retrainings on them, take them down."""
