"""One clean row of each source table, from which tests make others."""

from __future__ import annotations

PIN = {
    "index": 10794,
    "unique_id": "c4bd2577-a7bb-4409-bb7a-17d5ed7e1cf1",
    "title": "TireBuyer",
    "description": "Nissan GT-R. Sick.",
    "poster_name": "Ray",
    "follower_count": "437",
    "tag_list": "Lowrider,Old Vintage Cars",
    "is_image_or_video": "image",
    "image_src": "https://i.pinimg.com/originals/0d/29/9f/0d299f3df020395aa7ce8387f40fbeed.jpg",
    "downloaded": 1,
    "save_location": "Local save in /data/vehicles",
    "category": "vehicles",
}
GEO = {
    "ind": 10794,
    "timestamp": "2022-01-01 02:26:50",
    "latitude": -89.5236,
    "longitude": -154.567,
    "country": "Cocos (Keeling) Islands",
}
USER = {"ind": 10794, "first_name": "Thomas", "last_name": "Turner", "age": 34, "date_joined": "2016-12-22 00:02:02"}
ROWS = {"pin": PIN, "geo": GEO, "user": USER}
