"""How frames are looked at: in part, in tiles, only where something moves, only now and then."""
