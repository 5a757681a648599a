"""How data moves, one module a step."""
