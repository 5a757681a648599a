"""The commands of `bedrot`, by what a person wants: to walk, to ask, to decide, to prove."""
