"""Messages to brokers: verdicts, alerts and indicators over MQTT, plain and as Sparkplug B, without loss."""
