"""How a run of the stream's job comes about: a module for each value of the setting ``lake_stream.trigger``."""
