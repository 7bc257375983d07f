"""The load: one short file for each scenario, the devices that make it and its curves."""
