"""Model versions: loading, serving, the registry and its files, their measured quality."""
