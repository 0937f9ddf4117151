"""The tools' real servers in containers: their life cycle, the data they read, and the arms that use them."""
