"""The engine: phases, gates, judge and plan. Pure; every effect is somebody else's."""
