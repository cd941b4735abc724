"""All handlers, registered by being imported."""

from sevenepochs.report.theme import blocks, boxes, figures, inline, notebook

MODULES = (blocks, boxes, figures, inline, notebook)
