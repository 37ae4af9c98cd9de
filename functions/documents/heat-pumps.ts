export const text = `# Why a heat pump works in winter

A heat pump moves heat instead of making it. That is why it can deliver three or four kilowatt hours of heat for each
kilowatt hour of electricity, where an electric heater delivers exactly one. It looks like a machine that breaks the
conservation of energy, and the usual question follows at once: where does the heat come from when it is freezing
outside?

## There is heat in cold air

Cold is a word for people. Air at minus ten degrees Celsius is 263 kelvin above absolute zero, and it holds nearly as
much heat as air at plus ten. The difficulty is only that heat does not flow from the cold garden to the warm living
room by itself. A heat pump arranges for it to flow downhill twice, with a compressor in between:

- In the outdoor unit, a liquid refrigerant at low pressure boils at a temperature below that of the outside air, so
  heat flows from the air into the refrigerant.
- The compressor squeezes the vapour. Its pressure rises, and so does its temperature, above that of the heating
  water.
- In the condenser, heat flows from the hot vapour into the heating water, and the vapour becomes liquid again.
- An expansion valve lowers the pressure, the liquid cools, and the cycle starts over.

Electricity pays for the compressor, and the heat taken from the air is free.

## What decides the efficiency

The ratio of heat delivered to electricity used is called the coefficient of performance. Its upper limit depends on
two temperatures alone, the one that is drawn from and the one that is delivered, both in kelvin:

~~~
limit = T_hot / (T_hot - T_cold)
~~~

Real machines reach about half of the limit. The formula explains the advice that every installer gives: the smaller
the temperature difference, the better. Underfloor heating is content with water at 35 degrees, and old radiators may
ask for 55. With outside air at zero degrees, the difference is that between a coefficient of roughly four and one of
roughly three, which is a third more electricity for the same warm room.

## Frost, noise and the coldest day

Below about five degrees, moisture from the air freezes on the outdoor unit and blocks the flow of air. The machine
then reverses its cycle for a few minutes and melts the ice with heat borrowed from the house. A good controller
defrosts when the air flow drops, and a poor one by the clock, wasting energy in dry weather.

The size of the machine matters as well. A heat pump that is designed for the coldest day of the decade is too large
for all other days: it starts and stops often, which wears the compressor and wastes energy. Planners therefore
choose a smaller machine that runs for long hours at part load, and add a simple electric heater for the few nights
when the pump alone is not enough. Over a year, that heater usually supplies less than three per cent of the heat.
`;
