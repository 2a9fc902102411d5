"""Other tools' drift detectors on the series that Streamgauge's own is measured on."""
