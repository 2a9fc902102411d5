"""What the judge is made of: detectors of a stream, findings, incidents, alert events, what is still to be learned."""
