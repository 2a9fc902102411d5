"""The configuration file that the monitor of the demo runs with. Nothing in it is special to the demo but the short pane."""

from __future__ import annotations

APP = "sg-flights"

_TEMPLATE = """\
# Written by `streamgauge demo`. A day of 2013 lasts two seconds here, so a pane is half a day.
app: {app}
kafka: {{brokers: "{brokers}"}}
web: {{port: {port}}}
start: earliest                 # the topics hold 130 days of history: learn from them
pane: 1s
lateness: 1s
warm_up: 200s                   # 100 days of 2013 here; a day where it is not stated
models:
  delays:
    owner: gate-operations
    decision: rebook connections of a departing flight that will arrive 30 minutes late or more
    when_wrong: connections are rebooked after the landing, by hand
    cost: {{false_positive: 120, false_negative: 400, currency: USD}}
    features:
      topic: flights.features
      silence: 5s
      fields:
        origin: {{kind: category, show: true}}
        dest: {{kind: category}}
        carrier: {{kind: category, show: true}}
        hour: {{}}
        distance: {{}}
        dep_delay: {{required: true}}
        temp: {{}}
        humid: {{}}
        wind_speed: {{}}
        precip: {{}}
        visib: {{range: [0, 10]}}
        pressure: {{}}
        plane_year: {{}}
        seats: {{}}
        engines: {{}}
    predictions:
      topic: flights.predictions
      silence: 5s
      id: flight
      score: score
      positive_at: 0.5
      version: model_version
    outcomes:
      topic: flights.outcomes
      silence: 5s
      id: flight
      label: is_late
"""


def text(brokers: str, port: int, app: str = APP) -> str:
    """Return the file.

    Args:
        brokers: host:port. port: of the monitor's health pages. app: prefix of the monitor's own topics.
    """
    return _TEMPLATE.format(brokers=brokers, port=port, app=app)
