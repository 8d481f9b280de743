"""Reading YAML files: plain data with the place of every value, and words for what is wrong."""
