"""The edge to Kafka: the batched consumer inside Faust, readers and writers of our own topics, the cluster."""
