"""Which predictions no change of so many training rows can turn, proved from the fit without poison."""
