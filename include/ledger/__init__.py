"""The ledger: what every hop received and handed on (``entry``), and whether the sums agree (``verdict``)."""
