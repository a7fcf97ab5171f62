"""Pages: each reads input, finds the object for this person, calls a verb, answers."""
