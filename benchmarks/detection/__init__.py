"""How well drift is detected: records of real and synthetic streams, the panes they become, and what is said of them."""
