"""The lab's AWS account: ministack and what is added to it (``server``, ``kinesis``), and its boto3 clients (``client``)."""
