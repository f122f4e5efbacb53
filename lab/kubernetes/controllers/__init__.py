"""What a cluster does by itself: one controller a concern, all driven by changes in the store.

A controller names the resources that it looks at, turns a change into places to look at again,
and reconciles one place at a time without waiting; delays go through `World.later`. Nothing
polls.
"""

from __future__ import annotations
