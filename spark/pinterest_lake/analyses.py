"""The analyses: DataFrames in, one small DataFrame each out.

A function here and an entry of the same name in ``contract.json`` are an analysis: the entry lists its columns.

All of them query one projection of posts, so that the three tables are read and joined once. Ties are kept. Medians
are exact. Years are UTC. Rows without the measured value (or without the country or year in question) are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake import contract

POST_YEARS = (2018, 2022)
JOIN_YEARS = (2015, 2020)


@dataclass(frozen=True)
class Facts:
    """What the analyses query: ``posts``, one row per pin (see ``posts_of``), and ``users``, silver's row per post."""

    posts: DataFrame
    users: DataFrame

    @property
    def of_known_place_and_time(self) -> DataFrame:
        return self.posts.where("has_geo")

    @property
    def of_known_user(self) -> DataFrame:
        return self.posts.where("has_user")


def posts_of(pin: DataFrame, geo: DataFrame, user: DataFrame) -> DataFrame:
    """One row per pin, with what the analyses need of its place, time and user; ``has_geo`` and ``has_user`` say
    whether the other two tables have a row for it."""
    places = geo.select("ind", "country", F.year("timestamp").alias("post_year"), F.lit(True).alias("_geo"))
    users = user.select("ind", age_group("age"), F.year("date_joined").alias("join_year"), F.lit(True).alias("_user"))
    return (
        pin.select("ind", "category", "poster_name", "follower_count")
        .join(places, "ind", "left")
        .join(users, "ind", "left")
        .select(
            "category",
            "poster_name",
            "follower_count",
            "country",
            "post_year",
            "age_group",
            "join_year",
            F.col("_geo").isNotNull().alias("has_geo"),
            F.col("_user").isNotNull().alias("has_user"),
        )
    )


def age_group(age: str) -> Column:
    """The group whose ages, both ends included, hold this one; under 18, or null, is a group too: ``unknown``."""
    group = F.lit(contract.AGE_GROUP_OF_OTHERS)
    for name, (first, last) in contract.AGE_GROUPS.items():
        belongs = F.col(age) >= first if last is None else F.col(age).between(first, last)
        group = F.when(belongs, name).otherwise(group)
    return group.alias("age_group")


def popular_category_by_country(facts: Facts) -> DataFrame:
    """country, category, category_count: the categories with the most pins in each country."""
    return _most_pins(facts.of_known_place_and_time.where("country IS NOT NULL"), by="country")


def popular_category_by_year(facts: Facts) -> DataFrame:
    """post_year, category, category_count: the categories with the most pins in each year from 2018 to 2022."""
    return _most_pins(facts.of_known_place_and_time.where(F.col("post_year").between(*POST_YEARS)), by="post_year")


def top_poster_by_country(facts: Facts) -> DataFrame:
    """country, poster_name, follower_count: the posters with the most followers in each country."""
    posters = (
        facts.of_known_place_and_time.where("country IS NOT NULL AND follower_count IS NOT NULL")
        .select("country", "poster_name", "follower_count")
        .distinct()
    )
    return _greatest(posters, "follower_count", by="country")


def country_of_top_poster(facts: Facts) -> DataFrame:
    """country, follower_count: the countries of the posters with the most followers of all."""
    countries = top_poster_by_country(facts).select("country", "follower_count").distinct()
    greatest = countries.agg(F.max("follower_count").alias("follower_count"))
    return countries.join(F.broadcast(greatest), "follower_count").select("country", "follower_count")


def popular_category_by_age_group(facts: Facts) -> DataFrame:
    """age_group, category, category_count: the categories with the most pins in each age group."""
    return _most_pins(facts.of_known_user, by="age_group")


def median_followers_by_age_group(facts: Facts) -> DataFrame:
    """age_group, median_follower_count: over pins."""
    return _median_followers(facts.of_known_user, "age_group")


def users_joined_by_year(facts: Facts) -> DataFrame:
    """join_year, number_users_joined: persons (user_name, age, date_joined) who joined from 2015 to 2020."""
    persons = facts.users.select("user_name", "age", "date_joined").distinct()
    joined = persons.groupBy(F.year("date_joined").alias("join_year")).agg(F.count("*").alias("number_users_joined"))
    return joined.where(F.col("join_year").between(*JOIN_YEARS))


def median_followers_by_join_year(facts: Facts) -> DataFrame:
    """join_year, median_follower_count: over pins of users who joined from 2015 to 2020."""
    return _median_followers(facts.of_known_user.where(F.col("join_year").between(*JOIN_YEARS)), "join_year")


def median_followers_by_join_year_and_age_group(facts: Facts) -> DataFrame:
    """age_group, join_year, median_follower_count: over pins of users who joined from 2015 to 2020."""
    joined = facts.of_known_user.where(F.col("join_year").between(*JOIN_YEARS))
    return _median_followers(joined, "age_group", "join_year")


ANALYSES: dict[str, Callable[[Facts], DataFrame]] = {name: globals()[name] for name in contract.ANALYSES}


def _most_pins(posts: DataFrame, by: str) -> DataFrame:
    counted = posts.where("category IS NOT NULL").groupBy(by, "category").agg(F.count("*").alias("category_count"))
    return _greatest(counted, "category_count", by)


def _greatest(rows: DataFrame, measure: str, by: str) -> DataFrame:
    best = F.max(measure).over(Window.partitionBy(by))
    return rows.withColumn("_best", best).where(F.col(measure) == F.col("_best")).drop("_best")


def _median_followers(posts: DataFrame, *by: str) -> DataFrame:
    counted = posts.where("follower_count IS NOT NULL").groupBy(*by)
    return counted.agg(F.median("follower_count").alias("median_follower_count"))
