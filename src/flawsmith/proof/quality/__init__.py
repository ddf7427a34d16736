"""How near synthetic defects are to real ones, by the eyes of a named network, beside how near real ones are."""
