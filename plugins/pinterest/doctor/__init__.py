"""The account's doctor: asks the account what ``include.doctor`` judges. ``bin/doctor account`` runs it."""
