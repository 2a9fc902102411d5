"""`streamgauge demo`: real flights of 2013 through the unmodified monitor, broken in seven announced ways."""
