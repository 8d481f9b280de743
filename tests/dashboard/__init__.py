"""The web service: rules one by one, the whole layer in process, and real browsers."""
