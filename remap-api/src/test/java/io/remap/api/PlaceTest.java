package io.remap.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PlaceTest {
    @Test
    void keepsWhatItIsMadeOf() {
        long place = Place.onSlot(255, Place.MAX_SLOT, 0x81, 0x7e);
        assertTrue(Place.hasSlot(place));
        assertEquals(255, Place.spare(place));
        assertEquals(Place.MAX_SLOT, Place.slot(place));
        assertEquals(0x81, Place.onSlotMask(place));
        assertEquals(0x7e, Place.lostMask(place));
        assertFalse(Place.isZero(place));
        assertTrue(Place.isZero(Place.zero(1)));
        assertEquals(1, Place.lostMask(Place.zero(1)));
        assertEquals(Place.MAIN, Place.lost(0));
    }

    @Test
    void onlyTheSlotAdvances() {
        assertEquals(Place.onSlot(3, 1005, 0xf0, 0x0f), Place.advance(Place.onSlot(3, 1000, 0xf0, 0x0f), 5));
        assertEquals(Place.lost(7), Place.advance(Place.lost(7), 5));
        assertEquals(Place.zero(0), Place.advance(Place.zero(0), 5));
        assertEquals(Place.MAIN, Place.advance(Place.MAIN, 5));
    }

    @Test
    void refusesWhatCannotBe() {
        assertThrows(IllegalArgumentException.class, () -> Place.onSlot(0, 0, 3, 2));
        assertThrows(IllegalArgumentException.class, () -> Place.onSlot(0, Place.MAX_SLOT + 1, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> Place.onSlot(256, 0, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> Place.lost(0x100));
    }

    @Test
    void masksHaveOneBitPerSector() {
        assertEquals(0xff, Place.fullMask(512));
        assertEquals(0x0f, Place.fullMask(1024));
        assertEquals(0x01, Place.fullMask(4096));
    }
}
