"""What generators that see a crop around a defect share: scales, tones, colours, and the crops they learn from."""
