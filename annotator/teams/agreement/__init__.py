"""How far people agree: statistics on numpy and scipy alone, with intervals by post. Knows no store and no page."""
