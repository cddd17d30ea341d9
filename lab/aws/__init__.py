"""The lab's AWS account: ministack with our additions (``server``, ``kinesis``), and its boto3 clients (``client``)."""
