"""The sections of a study's part of the page: a record and its figures go in, HTML comes out."""
