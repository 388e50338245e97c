"""What a message costs, in counts that do not depend on the machine's mood: a rise fails here, whoever else is busy."""
