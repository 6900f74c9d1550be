"""Charts as SVG text. Pure; colours are the stylesheet's, by class."""
