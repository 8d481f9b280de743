"""Study files: a path in, a resolved study or every fault at once out."""
