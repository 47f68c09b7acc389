"""Commands of `beto`, a file for each thing that they are about. Each imports what it needs when it runs."""
