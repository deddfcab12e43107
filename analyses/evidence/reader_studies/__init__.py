"""Reader reader studies: how they are drawn, read, closed, analysed and exported."""
