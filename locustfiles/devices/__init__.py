"""The devices of an over-the-air update service as Locust users, and the fleet they draw from."""

from locustfiles.devices.users import BundleDownload, DeviceRegister, HealthProbe, UpdateCheck

__all__ = ["BundleDownload", "DeviceRegister", "HealthProbe", "UpdateCheck"]
