"""The configuration of the year. What is watched, and why:

* The inputs of the model, where a flight goes from and with whom, the score, and whether the flight was late. Not the input
  ``hour``: in real time it repeats the clock. Not destination, seats and engines, which the model does not use.
* Panes of an hour: 47 departures in the mean, and a rule needs 30.
* Silence of 8 hours: no night without a flight was longer than 6.3, but the one of the blizzard.
"""

from __future__ import annotations

CONFIG = """\
# Written by `streamgauge demo --year`.
app: sg-year
kafka: {brokers: "localhost:9092"}     # a replay asks no broker
pane: 1h
timezone: America/New_York
holidays: [2013-01-01, 2013-01-21, 2013-02-18, 2013-05-27, 2013-07-04,
           2013-09-02, 2013-10-14, 2013-11-11, 2013-11-28, 2013-12-25]
false_alarms: 1 per week
models:
  delays:
    owner: gate-operations
    decision: rebook connections of a departing flight that will arrive 30 minutes late or more
    when_wrong: connections are rebooked after the landing, by hand
    features:
      topic: flights.features
      silence: 8h
      fields:
        origin: {kind: category, show: true}
        carrier: {kind: category, show: true}
        distance: {}
        dep_delay: {required: true}
        temp: {}
        humid: {}
        wind_speed: {}
        precip: {}
        visib: {range: [0, 10]}
        pressure: {}
        plane_year: {}
    predictions:
      topic: flights.predictions
      silence: 8h
      id: flight
      score: score
      positive_at: 0.5
      version: model_version
    outcomes:
      topic: flights.outcomes
      silence: 8h
      id: flight
      label: is_late
"""
