"""Pictures for the pages, drawn on the server: pure functions from times and numbers to SVG.

Theory of operation
- Along the time axis everything is placed in percent of the width, so that a picture fills a phone
  and a wall alike and its text keeps its size. `scale.py` knows where an instant stands and which
  times are written below.
- What is told by a colour is told by a shape as well: how high a span is and how it is hatched
  (`strip.py`), in which order phases lie on each other (`latency.py`), which sign stands in a cell
  (`cells.py`). Colours are classes of the style sheet; there is no inline style and no script.
- However much there was, a picture has a bounded number of elements: what lies closer than can be
  seen is drawn as one, and as the worst of it.
- Each picture has a title and a description for who does not see it, and the page has a table.
- Everything that came from elsewhere goes through `svg.tag`, which escapes it.

Nothing here reads a clock, a store or the engine.
"""
