"""Settings for all tests."""

import hypothesis

# How long one example takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile(
    "libreseed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("libreseed")
