"""Shows everything that is prepared for one pair, on the terminal and as a page of HTML."""
