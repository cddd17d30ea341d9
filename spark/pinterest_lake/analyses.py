"""The analyses: all posts in (see ``posts.py``), one small DataFrame each out.

A function here and an entry of the same name in ``contract.json`` are an analysis: the entry lists its columns.

Ties are kept. Medians are exact. Years are UTC. Rows without the measured value (or without the country or year in
question) are left out.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pinterest_lake import contract

POST_YEARS = (2018, 2022)
JOIN_YEARS = (2015, 2020)
PLACED = "has_pin AND has_geo"
OWNED = "has_pin AND has_user"


def age_group() -> Column:
    """The group whose ages, both ends included, hold this one; under 18, or null, is a group too: ``unknown``."""
    group = F.lit(contract.AGE_GROUP_OF_OTHERS)
    for name, (first, last) in contract.AGE_GROUPS.items():
        belongs = F.col("age") >= first if last is None else F.col("age").between(first, last)
        group = F.when(belongs, name).otherwise(group)
    return group.alias("age_group")


def join_year() -> Column:
    return F.year("date_joined").alias("join_year")


def popular_category_by_country(posts: DataFrame) -> DataFrame:
    """country, category, category_count: the categories with the most pins in each country."""
    return _most_pins(posts.where(PLACED).where("country IS NOT NULL"), by="country")


def popular_category_by_year(posts: DataFrame) -> DataFrame:
    """post_year, category, category_count: the categories with the most pins in each year from 2018 to 2022."""
    return _most_pins(posts.where(PLACED).where(F.col("post_year").between(*POST_YEARS)), by="post_year")


def top_poster_by_country(posts: DataFrame) -> DataFrame:
    """country, poster_name, follower_count: the posters with the most followers in each country."""
    counted = posts.where(PLACED).where("country IS NOT NULL AND follower_count IS NOT NULL")
    greatest = counted.groupBy("country").agg(F.max("follower_count").alias("follower_count"))
    posters = counted.join(F.broadcast(greatest), ["country", "follower_count"])
    return posters.select("country", "poster_name", "follower_count").distinct()


def country_of_top_poster(posts: DataFrame) -> DataFrame:
    """country, follower_count: the countries of the posters with the most followers of all."""
    counted = posts.where(PLACED).where("country IS NOT NULL AND follower_count IS NOT NULL")
    countries = counted.groupBy("country").agg(F.max("follower_count").alias("follower_count"))
    greatest = countries.agg(F.max("follower_count").alias("follower_count"))
    return countries.join(F.broadcast(greatest), "follower_count").select("country", "follower_count")


def popular_category_by_age_group(posts: DataFrame) -> DataFrame:
    """age_group, category, category_count: the categories with the most pins in each age group."""
    return _most_pins(posts.where(OWNED).select(age_group(), "category"), by="age_group")


def median_followers_by_age_group(posts: DataFrame) -> DataFrame:
    """age_group, median_follower_count: over pins."""
    return _median_followers(posts.where(OWNED).select(age_group(), "follower_count"), "age_group")


def users_joined_by_year(posts: DataFrame) -> DataFrame:
    """join_year, number_users_joined: persons (user_name, age, date_joined) who joined from 2015 to 2020, whether or
    not their posts have a pin."""
    joined = posts.where("has_user").where(join_year().between(*JOIN_YEARS))
    persons = joined.select("user_name", "age", "date_joined").distinct()
    return persons.groupBy(join_year()).agg(F.count("*").alias("number_users_joined"))


def median_followers_by_join_year(posts: DataFrame) -> DataFrame:
    """join_year, median_follower_count: over pins of users who joined from 2015 to 2020."""
    return _median_followers(_of_joined(posts), "join_year")


def median_followers_by_join_year_and_age_group(posts: DataFrame) -> DataFrame:
    """age_group, join_year, median_follower_count: over pins of users who joined from 2015 to 2020."""
    return _median_followers(_of_joined(posts), "age_group", "join_year")


ANALYSES: dict[str, Callable[[DataFrame], DataFrame]] = {name: globals()[name] for name in contract.ANALYSES}


def _of_joined(posts: DataFrame) -> DataFrame:
    joined = posts.where(OWNED).where(join_year().between(*JOIN_YEARS))
    return joined.select(age_group(), join_year(), "follower_count")


def _most_pins(posts: DataFrame, by: str) -> DataFrame:
    counted = posts.where("category IS NOT NULL").groupBy(by, "category").agg(F.count("*").alias("category_count"))
    best = F.max("category_count").over(Window.partitionBy(by))
    return counted.withColumn("_best", best).where(F.col("category_count") == F.col("_best")).drop("_best")


def _median_followers(posts: DataFrame, *by: str) -> DataFrame:
    counts = posts.where("follower_count IS NOT NULL").groupBy(*by, "follower_count").count()
    median = F.percentile("follower_count", 0.5, F.col("count"))
    return counts.groupBy(*by).agg(median.alias("median_follower_count"))
