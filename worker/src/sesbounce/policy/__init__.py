"""What follows from the events: the state of an address and its verdict. Pure."""
