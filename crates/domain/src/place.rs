//! Places and the time between them.

/// Kilometres by road for one kilometre as the crow flies.
const DETOUR: f64 = 1.3;
/// Earth radius in kilometres.
const EARTH_RADIUS_KM: f64 = 6_371.0;
/// Minutes lost at both ends of a journey.
const START_MINUTES: f64 = 5.0;
/// Kilometres driven at town speed.
const TOWN_KM: f64 = 15.0;
/// Town speed, km/h.
const TOWN_KM_PER_HOUR: f64 = 32.0;
/// Speed beyond, km/h.
const ROAD_KM_PER_HOUR: f64 = 72.0;

/// A point on the map, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinates {
    /// Latitude, −90 to 90.
    pub lat: f64,
    /// Longitude, −180 to 180.
    pub lon: f64,
}

/// Returns the great-circle distance in kilometres.
#[must_use]
pub fn great_circle_km(a: Coordinates, b: Coordinates) -> f64 {
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let half_lat = (lat_a - lat_b) / 2.0;
    let half_lon = (a.lon - b.lon).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

/// Returns the travel time by road in whole minutes, halves rounded up, where no measured time is given: five minutes,
/// then 1.3 times the great-circle distance, the first 15 km at 32 km/h and the rest at 72 km/h.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 25,000 km, so at most some 22,000 minutes
pub fn travel_minutes(a: Coordinates, b: Coordinates) -> u32 {
    let km = DETOUR * great_circle_km(a, b);
    let town = km.min(TOWN_KM) / TOWN_KM_PER_HOUR * 60.0;
    let road = (km - TOWN_KM).max(0.0) / ROAD_KM_PER_HOUR * 60.0;
    (START_MINUTES + town + road + 0.5).floor() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANCHESTER: Coordinates = Coordinates { lat: 53.46244, lon: -2.22771 };

    #[test]
    fn next_door_is_five_minutes() {
        assert_eq!(travel_minutes(MANCHESTER, MANCHESTER), 5);
    }

    #[test]
    fn town_then_road() {
        // 0.1 degrees of latitude are 11.119 km, 14.455 by road: all at town speed.
        let near = Coordinates { lat: MANCHESTER.lat + 0.1, ..MANCHESTER };
        assert!((great_circle_km(MANCHESTER, near) - 11.119).abs() < 0.001);
        assert_eq!(travel_minutes(MANCHESTER, near), 32);
        // 1 degree: 111.195 km, 144.553 by road, of which 129.553 at road speed: 5 + 28.1 + 108.0.
        let far = Coordinates { lat: MANCHESTER.lat + 1.0, ..MANCHESTER };
        assert_eq!(travel_minutes(MANCHESTER, far), 141);
    }
}
