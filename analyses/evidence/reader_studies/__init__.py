"""Reader studies: how they are drawn, read, closed, analysed and exported."""
