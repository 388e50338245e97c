"""One small program for each client that is measured: `python -m benchmarks.clients.receive_paho PORT COUNT QOS 311 -`."""
