"""What the pipeline asks of AWS, as plain data: the arguments of boto3 calls, policies and models."""
