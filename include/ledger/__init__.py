"""The ledger: what every hop was given and what it handed on (``entry``), and whether the sums agree (``verdict``)."""
