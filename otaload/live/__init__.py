"""The wiring between a running Locust and a run directory; `otaload.plugin` switches it on."""
